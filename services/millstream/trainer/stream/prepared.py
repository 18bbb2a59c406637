"""Ours as it stands at the split: trained on what came before, every setting chosen there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from millstream.domain.deriving import DAY_MS, EVENT_WEIGHT, Deriving
from millstream.domain.events import EventType
from millstream.model.blend import Blend
from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.settings import RankingSettings
from millstream.settings.event_weights import write_weights
from millstream.trainer.fitting import Fit
from millstream.trainer.stream.blending import choose_blend
from millstream.trainer.stream.choose import choose_knn
from millstream.trainer.stream.choose_way import SHARING, Way, choose_way, usual_way
from millstream.trainer.stream.derived import Faded, faded, shared
from millstream.trainer.stream.live import Live
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.proposals import Proposals
from millstream.trainer.stream.replay import FRESH, STATIC, Cadence, replay
from millstream.trainer.stream.scores import worth
from millstream.trainer.stream.trained import TasteRule, train_encoder, train_taste
from millstream.trainer.stream.visits import VisitRule, Visits

Told = Callable[[str], None]
EventWeights = Mapping[EventType, float]
_CHOOSING = 600


def _event_weights(view: float, cart: float, purchase: float) -> EventWeights:
    said = {EventType.VIEW_ITEM: view, EventType.SELECT_ITEM: view}
    more = {EventType.ADD_TO_CART: cart, EventType.PURCHASE: purchase}
    return {**EVENT_WEIGHT, **said, **more}


EVENT_WEIGHTS: tuple[EventWeights, ...] = (
    EVENT_WEIGHT,
    _event_weights(1.0, 1.0, 1.0),
    _event_weights(1.0, 10.0, 30.0),
)


@dataclass(frozen=True, slots=True)
class OursRule:
    taste: TasteRule
    knn: KnnRule = field(
        default_factory=lambda: KnnRule(neighbours=500, sessions_an_item=1_000, query_touches=24)
    )
    settings: RankingSettings = field(default_factory=RankingSettings)
    event_weights: tuple[EventWeights, ...] = EVENT_WEIGHTS
    """Proposals, those of a deployment that sets none first."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`live`, having learnt all before the split in this way."""

    live: Live
    way: Way


@dataclass(frozen=True, slots=True)
class Prepared:
    """`static` and `fresh` by what was best for each; `usual` learns each event too, by the event
    weights and half-lives that a deployment has before it sets any. `encoder`: `fresh` with a
    session encoder for a model, which stands still."""

    static: Standing
    fresh: Standing
    usual: Standing
    blend: Blend | None
    encoder: Listing | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What lists are made by: a state that has learnt all before the split, and a blend if it makes
    them better."""

    live: Live
    blend: Blend | None


@dataclass(frozen=True, slots=True)
class _Begun:
    """By one table of event weights: what lies before the held-out part is learnt. By cadence what
    is proposed on that part with the usual half-lives, and what is best then."""

    live: Live
    deriving: Deriving
    said: Mapping[Cadence, Proposals]
    usual: Mapping[Cadence, Way]


def prepare(parts: Parts, rule: OursRule, fit: Fit, told: Told) -> Prepared:
    """Blocks for minutes."""
    begun = _all_begun(parts, rule, fit, told)
    best = {cadence: _best(begun, cadence) for cadence in (STATIC, FRESH)}
    fading = {
        id(each): faded(parts, each.deriving, rule.settings, each.live.table)
        for each in {id(each): each for each in best.values()}.values()
    }
    static, fresh = (
        (each, _chosen(each, cadence, parts, fading[id(each)])) for cadence, each in best.items()
    )
    by_usual = begun[0], begun[0].usual[FRESH]
    for cadence, (_, way) in zip(best, (static, fresh), strict=True):
        told(f"{cadence.name}: {variables(way.deriving)}, {way.weights}, {way.repeat_recency}")
    told(f"to set: {variables(fresh[1].deriving)}; {_gain(by_usual[1], fresh[1])}")
    blend = choose_blend(_counted(*fresh, parts).copy(), parts)
    told(f"blend of the production list: {blend}")
    standing = _stand(*fresh, parts)
    encoder = _by_encoder(_counted(*fresh, parts), standing, parts, rule, fit)
    return Prepared(_stand(*static, parts), standing, _stand(*by_usual, parts), blend, encoder)


def _by_encoder(
    before: Live, standing: Standing, parts: Parts, rule: OursRule, fit: Fit
) -> Listing | None:
    """`before`, `standing`: without the held-out part, and with it."""
    taste = train_encoder(parts.before, parts.asked(parts.held_out), rule.taste, fit)
    if taste is None:
        return None
    lives = before.copy(), standing.live.copy()
    for live in lives:
        live.taste = taste
    return Listing(lives[1], choose_blend(lives[0], parts))


def _all_begun(parts: Parts, rule: OursRule, fit: Fit, told: Told) -> list[_Begun]:
    """The usual event weights first; no others where they would change nothing."""
    kinds = {row.event.type for row in parts.before if row.wanted}
    knn, found = None, list[_Begun]()
    for weights in rule.event_weights if len(kinds) > 1 else rule.event_weights[:1]:
        live = _trained(parts, rule, weights, fit)
        if knn is None:
            asked = parts.asked(parts.held_out)
            knn = choose_knn(live, asked[:: max(1, len(asked) // _CHOOSING)])
            told(f"nearest visits: {knn}")
        live.knn = knn
        found.append(_begin(live, parts, Deriving(weights)))
        for cadence, way in found[-1].usual.items():
            told(f"{write_weights(weights)}, {cadence.name}: held out {way.scores.means()}")
    return found


def _trained(parts: Parts, rule: OursRule, weights: EventWeights, fit: Fit) -> Live:
    live = Live(Visits(VisitRule(parts.visit_gap_ms)), rule.knn, rule.settings, Deriving(weights))
    live.learn(parts.before)
    cleaning = msgspec.structs.replace(rule.taste.cleaning, event_weights=weights)
    taste = replace(rule.taste, cleaning=cleaning)
    live.taste = train_taste(parts.before, parts.asked(parts.held_out), taste, fit)
    return live


def _begin(live: Live, parts: Parts, deriving: Deriving) -> _Begun:
    asked = parts.asked(parts.held_out)
    said = {
        cadence: replay(live.copy(), parts.held_out, cadence, parts.min_earlier)
        for cadence in (STATIC, FRESH)
    }
    usual = {cadence: usual_way(live, asked, said[cadence], deriving) for cadence in said}
    return _Begun(live, deriving, said, usual)


def _best(begun: Sequence[_Begun], cadence: Cadence) -> _Begun:
    return max(begun, key=lambda each: worth(each.usual[cadence].scores))


def _chosen(begun: _Begun, cadence: Cadence, parts: Parts, fading: Faded) -> Way:
    live, asked, said = begun.live, parts.asked(parts.held_out), begun.said[cadence]

    def made_by(name: str, deriving: Deriving) -> Mapping[float, Proposals]:
        if name == SHARING:
            return shared(parts, deriving, cadence, live.settings, live.table)
        return fading[cadence]

    return choose_way(live, asked, said, made_by, begun.usual[cadence])


def _counted(begun: _Begun, way: Way, parts: Parts) -> Live:
    live = begun.live.counting(way.deriving, parts.before)
    live.settings = msgspec.structs.replace(live.settings, repeat_recency=way.repeat_recency)
    return live


def _stand(begun: _Begun, way: Way, parts: Parts) -> Standing:
    live = _counted(begun, way, parts)
    for row in parts.held_out:
        live.learn([row])
        live.step([row])
    return Standing(live, way)


def variables(deriving: Deriving) -> str:
    """As an operator sets them (settings/)."""
    popular, together = deriving.popular_half_life_ms, deriving.together_half_life_ms
    return (
        f"MILLSTREAM_EVENT_WEIGHTS={write_weights(deriving.weights)} "
        f"MILLSTREAM_POPULAR_HALF_LIFE_DAYS={popular / DAY_MS:g} "
        f"MILLSTREAM_TOGETHER_HALF_LIFE_DAYS={together / DAY_MS:g} "
        f"MILLSTREAM_BASKET_SHARING={deriving.basket_sharing:g}"
    )


def _gain(usual: Way, chosen: Way) -> str:
    one, other = usual.scores.means(), chosen.scores.means()
    told = (f"{name} {one[name]:.4f} to {other[name]:.4f}" for name in one)
    return f"on the held-out part from the usual settings {', '.join(told)}"
