"""What declarations speak about: each object as it is declared, as Graph has it, and its rules."""
