"""The demo: generate, train, evaluate, predict, report."""
