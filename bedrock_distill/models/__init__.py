"""Looking at a model before moving it: its files, its shape, and what takes it."""
