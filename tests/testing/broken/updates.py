"""Update rules, each with one defect that its name states."""

import ganbench


class Sound:
    """Alternating updates, which keep the contract."""

    def step(self, game):
        return game.train_discriminator(), game.train_generator()


class ForgetsG(Sound):
    """Never updates G."""

    def step(self, game):
        return game.train_discriminator(), game.differentiate_generator()


class ReturnsNothing(Sound):
    """Returns no losses."""

    def step(self, game):
        super().step(game)


class CountsNothing(Sound):
    """Calls every update a look ahead."""

    def step(self, game):
        loss = game.differentiate_discriminator()
        game.update_discriminator(lookahead=True)
        return loss, game.train_generator()


class Rung:
    """Counts calls where no state is looked for."""

    __slots__ = ("calls",)

    def __init__(self):
        self.calls = 0


class HidesItsState(Sound):
    """Does otherwise after some steps, and does not say so in its state."""

    def __init__(self):
        self.rung = Rung()

    def step(self, game):
        self.rung.calls += 1
        for _ in range(1 + self.rung.calls // 3):
            loss = game.train_discriminator()
        return loss, game.train_generator()


@ganbench.hookimpl
def ganbench_updates():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
