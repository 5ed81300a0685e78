"""What embedders and testers use too: agents from names, and meshes of real nodes."""
