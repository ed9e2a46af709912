"""The tab *Trajectories* of TensorBoard: the viewer, fed by a server."""
