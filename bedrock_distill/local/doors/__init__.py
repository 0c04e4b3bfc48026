"""The two ways into the local cloud: in this process, and over loopback HTTP. Both lead to one gateway."""
