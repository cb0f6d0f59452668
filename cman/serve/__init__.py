"""A small local web page and JSON endpoint around a trained model; `cman serve` is the door."""
