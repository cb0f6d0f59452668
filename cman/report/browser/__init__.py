"""The prediction browser: one page that shows gold and predicted annotations of every test sentence, with filters."""
