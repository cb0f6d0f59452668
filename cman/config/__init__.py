"""What a configuration may say: corpora, inputs, settings, experiments. Imports only errors and files."""
