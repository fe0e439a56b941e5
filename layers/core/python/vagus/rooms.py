"""Every capability there is, by name. The only module that imports them all."""

from collections.abc import Mapping

from vagus.certificates.room import CERTIFICATES
from vagus.procedure.room import Room
from vagus.rolling_upgrade.room import ROLLING_UPGRADE
from vagus.zone_balance.room import ZONE_BALANCE

ROOMS: Mapping[str, Room] = {room.name: room for room in (ZONE_BALANCE, ROLLING_UPGRADE, CERTIFICATES)}
