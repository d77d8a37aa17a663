"""The classifier that the digit metrics look through: its network, training, and features of images."""
