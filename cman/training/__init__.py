"""Training: the step, the loop around it, the protocol of a run, its lock and its checkpoints."""
