"""Images between rows and models: what a training sees of them, and how it is watched."""
