"""A club's folder as its builder has it: rules of the house as PDF, DOCX and HWPX, in two languages."""

from __future__ import annotations

from pathlib import Path

from tests.data.office_files import docx, hwpx, pdf

ROOMS = ("pool", "hall", "court", "studio", "garden", "kitchen")
KOREAN = ("수영장", "강당", "운동장", "작업실", "정원", "부엌")
FLOORS = 2


def builder_folder(folder: Path) -> Path:
    """Two files of each kind, six rooms in each, with one fact a room that can be asked about."""
    folder.mkdir(parents=True)
    for floor in range(1, FLOORS + 1):
        (folder / f"rent-{floor}.pdf").write_bytes(pdf(*(rent(floor, n) for n in range(len(ROOMS)))))
        docx(folder / f"fees-{floor}.docx", *(fee(floor, n) for n in range(len(KOREAN))))
        hwpx(folder / f"hours-{floor}.hwpx", *(hours(floor, n) for n in range(len(KOREAN))))
    (folder / "photo.png").write_bytes(b"\x89PNG")
    return folder


def rent(floor: int, n: int) -> str:
    room = f"{ROOMS[n]} on floor {floor}"
    said = (
        f"The rent of the {room} is {10 * n + floor} euros. Whoever takes the {ROOMS[n]} brings the key back"
    )
    return f"{said} to the desk of the house before it closes, and leaves the room as it was found."


def fee(floor: int, n: int) -> str:
    room = f"{floor}층 {KOREAN[n]}"
    said = f"{room} 이용료는 {1000 * n + 100 * floor}원입니다. 쓰기 전날까지 사무실에 신청서를 내면"
    return f"{said} 열쇠를 내어 드리며, 쓴 뒤에는 처음과 같이 정리하고 불을 끄고 나와야 합니다."


def hours(floor: int, n: int) -> str:
    room = f"{floor}층 {KOREAN[n]}"
    return (
        f"{room} 예약 시간은 {n + floor}시간입니다. 더 오래 쓰려면 다음 차례에 기다리는 사람이 없는지 "
        "관리인에게 먼저 물어보고, 허락을 받은 뒤에 시간을 늘려 쓰도록 합니다."
    )
