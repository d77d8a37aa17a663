"""The failure zoo: runs made to fail, what is true of them, and how well diagnoses and remedies do on them."""
