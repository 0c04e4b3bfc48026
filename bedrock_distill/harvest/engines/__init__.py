"""What runs parts: this process, several of them, or Spark. `processes` holds the protocol; each engine loads late."""
