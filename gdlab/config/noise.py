"""Noise in the gradient of each step."""

from typing import Literal

from gdlab.fields.declared import Configured, Number, setting


class Noise(Configured):
    """Independent random numbers added to each coordinate of the gradient in each step.

    >>> import gdlab
    >>> gdlab.run("sphere", lr=0.1, noise=gdlab.Noise(scale=0.1), steps=100).outcome.steps
    100

    Student's t distribution has heavy tails. With 1 degree of freedom it is the Cauchy
    distribution, which has no mean; up to 2 its variance is infinite; above 2 its standard
    deviation is scale · √(dof / (dof − 2)), and it tends to the Gaussian as dof grows.

    Attributes:
        kind: gaussian or student_t.
        scale: multiplies standard random numbers of that kind; for gaussian it is the standard
            deviation.
        dof: the degrees of freedom of student_t.
    """

    __module__ = "gdlab"

    kind: Literal["gaussian", "student_t"] = "gaussian"
    scale: Number = setting(default=0.0, ge=0)
    dof: Number = setting(default=3.0, ge=1)
