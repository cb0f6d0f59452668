"""ELMo (Peters et al. 2018): its published weights, its network and its features."""
