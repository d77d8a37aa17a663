"""The digit classifier that the digit metrics look through: its network, its training, its features of images."""
