"""Pictures of gradients, Hessians and Taylor models."""
