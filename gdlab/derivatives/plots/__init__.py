"""Pictures of derivatives: what a gradient, a Hessian and a Taylor model look like."""
