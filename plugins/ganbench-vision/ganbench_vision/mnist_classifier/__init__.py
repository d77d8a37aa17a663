"""The classifier of MNIST's digits that `mnist-modes` counts with: its network, its weights and its accuracy."""
