"""Reads planted.txt."""
import re

from switched import TOP


class bug:
    def __init__(self, name):
        self.name, self.changes, self.test, self.fault, self.store, self.rare = name, [], "", "", "", False


def read(path):
    bugs, file, side = [], "", ""
    for line in path.read_text().splitlines():
        mark, text = line[:1], line[2:]
        if mark == "=":
            bugs.append(bug(text))
        elif mark == "@":
            file = text
        elif mark == "-":
            if side == "-":
                bugs[-1].changes[-1][1].append(text)
            else:
                bugs[-1].changes.append((file, [text], []))
        elif mark == "+":
            bugs[-1].changes[-1][2].append(text)
        elif mark == "?":
            bugs[-1].test = text
        elif mark == "~":
            bugs[-1].rare = True
        elif mark == ":":
            bugs[-1].store = text
        elif mark == "!":
            bugs[-1].fault = text
        side = mark
    return bugs


def unrevealed(path, bugs):
    """The faults that no bug needs, and no line explains."""
    header = (TOP / "include/sluice/testing/simulation/fault.hpp").read_text()
    names = re.search(r"fault_names\{(.*?)\}", header, re.DOTALL).group(1)
    explained = re.findall(r"^% (\w+):", path.read_text(), re.MULTILINE)
    needed = {one for b in bugs for one in b.fault.split(",")}
    return [f for f in re.findall(r"\w+", names) if f != "none" and f not in needed and f not in explained]


def plant(bugs):
    """{file: text} with all of them, the first one number 1."""
    texts = {}
    for number, one in enumerate(bugs, 1):
        for file, before, after in one.changes:
            text = texts.get(file) or (TOP / "include/sluice" / file).read_text()
            before, after = "\n".join(before), "\n".join(after)
            if text.count(before) != 1:
                raise SystemExit(f"{one.name}: in {file} this stands {text.count(before)} times, and should once:\n{before}")
            texts[file] = text.replace(before, after.replace("BUG", f"::sluice_planted::on({number})"))
    return texts
