"""Terms, each with one defect that its name states."""

import ganbench


class Sound:
    """A distance to the target, which keeps the contract."""

    def __call__(self, d, real, fake):
        return (fake.x - real.x).square().mean()


class PerSample(Sound):
    """Lacks the mean."""

    def __call__(self, d, real, fake):
        return (fake.x - real.x).square().flatten(1).sum(1)


class Detached(Sound):
    """Has no gradient."""

    def __call__(self, d, real, fake):
        return super().__call__(d, real, fake).detach()


class UnknownPlayer(Sound):
    """Is nobody's."""

    player = "referee"


class NotOfD(Sound):
    """Is said to be D's, whose weights it does not depend on."""

    player = "discriminator"


@ganbench.hookimpl
def ganbench_terms():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
