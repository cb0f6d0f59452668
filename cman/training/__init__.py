"""Training on Lightning: batches, one step, the end of an epoch, the protocol of a run."""
