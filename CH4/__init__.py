"""Chapter 4: more computation at answering time, and what it buys."""
