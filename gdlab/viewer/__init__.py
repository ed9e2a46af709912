"""The viewer: moving paths on the landscape of their loss, in TensorBoard, reports, notebooks."""
