"""Documents, and a reader for each corpus that turns raw files into them."""
