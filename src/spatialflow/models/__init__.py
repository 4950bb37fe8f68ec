"""The network: backbone, pyramid, sub-networks, heads, and their composition."""
