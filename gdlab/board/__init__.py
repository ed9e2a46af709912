"""What is served beside TensorBoard: the tab with the viewer, and runs computed as one watches."""
