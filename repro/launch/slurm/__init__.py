"""Sends cells to the nodes of a cluster through Slurm, and takes back what they observed."""
