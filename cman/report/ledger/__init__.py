"""The claims ledger: what the paper claims, what the records say of it, and the verdict of docs/study.md's rules."""
