"""What is random in the gradient of a step."""

from typing import Literal

from gdlab.fields.declared import Configured, Number, setting


class Noise(Configured):
    """Independent random numbers, added to each coordinate of the gradient in each step.

    Student's t is heavy in its tails: of 1 degree of freedom it is Cauchy's distribution, which has
    no mean; up to 2 its variance is infinite; beyond them its standard deviation is
    scale · √(dof / (dof − 2)), and it becomes Gaussian as they grow.

    Attributes:
        kind: gaussian or student_t.
        scale: what standard numbers of that kind are multiplied by; Gaussian noise has it as its
            standard deviation.
        dof: the degrees of freedom of student_t.
    """

    __module__ = "gdlab"

    kind: Literal["gaussian", "student_t"] = "gaussian"
    scale: Number = setting(default=0.0, ge=0)
    dof: Number = setting(default=3.0, ge=1)
