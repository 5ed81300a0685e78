"""How peers are found, and reached where nobody can dial them (spec 04)."""
