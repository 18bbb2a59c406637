"""Words that a shopper may say for those of a title. Written down before anything was measured."""

from __future__ import annotations

_PAIRS = """
    bag=tote basket=hamper box=case bracelet=bangle cake=pastry candle=taper case=box cat=kitten
    child=kid children=kids christmas=xmas clock=timepiece cup=mug cushion=pillow cutlery=silverware
    dish=plate dog=puppy doll=dolly drawer=compartment fabric=cloth flower=blossom garden=yard
    gift=present glass=tumbler heart=love holder=stand jar=pot jewellery=jewelry lantern=lamp
    large=big light=lamp metal=steel mug=cup napkin=serviette necklace=pendant notebook=notepad
    paper=cardboard pen=biro photo=picture picture=photo plaque=sign plate=dish purse=wallet
    rabbit=bunny retro=vintage sign=plaque small=little soap=detergent sponge=scrubber sticker=label
    tin=can toy=plaything umbrella=brolly vintage=retro wooden=timber wrap=paper
"""
OTHER_WORDS: dict[str, str] = dict(pair.split("=", 1) for pair in _PAIRS.split())
