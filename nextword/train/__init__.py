"""One training loop; stages differ by their batch and their loss."""
