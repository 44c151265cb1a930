"""Chapter 2: generating text, and making it fast."""
