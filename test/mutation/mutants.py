"""Mechanical mutants of the headers that touch offsets: comparisons, conditions, and/or, one more or less, statements left out, answers
swapped. What only tells (observers, statistics, messages) is left as it is. Those of the consumer, and those of the stores and sources
that keep positions themselves and need no server."""
import collections
import hashlib
import re

from switched import TOP

CONSUMER = [
    *(f"detail/{n}.hpp" for n in ("claims", "advancing", "hand", "handling", "batch_turn", "turn_state", "engine")),
    *(f"delivery/{n}.hpp" for n in ("at_most_once", "at_least_once", "idempotent", "transactional", "each")),
    *(f"source/{n}.hpp" for n in ("kafka_source", "kafka_lane", "kafka_start", "position_check")),
    *(f"offset_store/{n}.hpp" for n in ("group_ledger", "group_claims", "kafka")),
    *(f"rate_limit/{n}.hpp" for n in ("max_rate_per_partition", "pid_backpressure", "pid_estimator", "shed_load")),
]
STORES = [
    *(f"offset_store/{n}.hpp" for n in (
        "sqlite", "sqlite_claiming", "sqlite_positions", "sqlite_transaction", "sql_claiming",
        "file", "file_changes", "file_claims", "file_folder", "file_generation", "file_text", "file_transaction",
        "checkpoint_beside", "checkpoint_compaction", "checkpoint_generation", "checkpoint_place", "checkpoint_rows",
        "checkpoint_transaction", "state_store", "periodic_kafka")),
    *(f"source/{n}.hpp" for n in ("local_source", "write_ahead_log", "log_folder", "log_format", "log_writer",
                                  "directory", "directory_journal", "directory_scan")),
]
GROUPS = {"consumer": (CONSUMER, 200), "stores": (STORES, 60)}  # so many of each are tried
SWAPPED = {
    "outcome": {"applied": "refused", "refused": "applied", "unknown": "applied", "postponed": "refused"},
    "claimed": {"stored": "failed", "first": "missing", "added": "missing", "missing": "stored", "failed": "stored"},
    "lane_state": {"unclaimed": "unchecked", "unchecked": "reading", "reading": "unchecked"},
    "position_decision": {"read": "rewind", "rewind": "read", "stop": "read"},
    "verdict": {"stop": "again", "again": "stop", "aside": "stop"},
}
OTHER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
FUNCTION = {"<": "std::less<>", "<=": "std::less_equal<>", ">": "std::greater<>", ">=": "std::greater_equal<>",
            "==": "std::equal_to<>", "!=": "std::not_equal_to<>"}
TELLS = re.compile(r"CRASH_POINT|tell\(\)|counts\b|figures|on_log|troubled\(|\.found\(|rebalanced\(|put_out\(|\breserve\(|owner\.|"
                   r"\bthrow |wake|\.why|warn_|publish|\berror = |trouble|first_failure|to_string\(|_event\b")
NOT_CODE = re.compile(r"constexpr|requires|static_assert|template <|^\s*#|^\s*using |concept |noexcept|^\s*friend|^\s*typename |^\s*case ")


def blank(line):
    """The same length, without what stands in quotes and comments."""
    line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', lambda m: "_" * len(m[0]), line)
    at = line.find("//")
    return line if at < 0 else line[:at] + " " * (len(line) - at)


def matching(text, at):
    """Behind the parenthesis that closes the one at `at`; -1 where it is not on this line."""
    depth = 0
    for i in range(at, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i + 1
    return -1


class mutant:
    def __init__(self, file, line, was, what, change):
        self.file, self.line, self.was, self.what, self.change = file, line, was, what, change
        self.number = 0
        self.behind = ""  # the line before, where others are like this one

    def __str__(self):
        return f"{self.file}:{self.line + 1}: {self.what}: {self.was.strip()}"

    def key(self):
        """What names it in survivors.txt, wherever the line stands."""
        return f"{self.file}: {self.what}: {self.was.strip()}" + (f" (behind: {self.behind})" if self.behind else "")


def comparisons(code, line):
    for m in re.finditer(r" (<|<=|>|>=|==|!=) (?=\S)", code):
        op = m[1]
        kind, left, right = ("order", " <", "> ") if op in ("<", "<=", ">", ">=") else ("equality", " !=", "!= ")

        def change(n, m=m, op=op, left=left, right=right):
            return line[:m.start()] + f"{left} ::sluice_planted::m{n} {right.strip()} " + line[m.end():]
        yield f"{op} at {m.start()} is {OTHER[op]}", change, (kind, FUNCTION[op], FUNCTION[OTHER[op]])


def condition_of(code):
    """Where the condition of an if or while stands; a declaration before it is none."""
    m = re.search(r"\b(if|while) \(", code)
    end = matching(code, m.end() - 1) if m else -1
    if end < 0:
        return None
    begin, depth = m.end(), 0
    for i in range(m.end(), end - 1):
        depth += code[i] in "([{"
        depth -= code[i] in ")]}"
        if code[i] == ";" and depth == 0:
            begin = i + 1
    inside = code[begin:end - 1]
    if re.match(r"\s*(auto|int|bool)\b[^=]* = ", inside):
        return None
    return begin, end - 1


def conditions(code, line):
    where = condition_of(code)
    if not where:
        return
    begin, end = where
    inside = code[begin:end]
    if len(re.findall(r" (?:<|<=|>|>=|==|!=) ", inside)) != 1 or "&&" in inside or "||" in inside:
        yield "condition is its opposite", lambda n: (
            f"{line[:begin]} ::sluice_planted::flip({n}, static_cast<bool>({line[begin:end]})){line[end:]}"), None
    yield from and_or(code, line, begin, end)


def and_or(code, line, begin, end):
    for m in re.finditer(r" (&&|\|\|) ", code[begin:end]):
        at = begin + m.start()

        def change(n, at=at, m=m):
            other = line[begin:at] + (" || " if m[1] == "&&" else " && ") + line[at + 4:end]
            return f"{line[:begin]}(::sluice_planted::on({n}) ? bool({other}) : bool({line[begin:end]})){line[end:]}"
        yield f"{m[1]} at {at} is {'||' if m[1] == '&&' else '&&'}", change, None


def returns(code, line):
    m = re.match(r"\s*return (.*);$", code)
    if m and "{" not in m[1]:
        yield from and_or(code, line, m.start(1), m.end(1))
        if m[1] in ("true", "false"):
            yield "the opposite is returned", lambda n: line.replace(m[1], f"::sluice_planted::flip({n}, {m[1]})"), None


def ones(code, line):
    for m in re.finditer(r"([+-]) 1\b(?![\w.'])", code):
        yield f"{m[1]} 1 at {m.start()} is left out", lambda n, m=m: (
            f"{line[:m.start()]}{m[1]} ::sluice_planted::one({n}){line[m.end():]}"), None


def answers(code, line):
    for m in re.finditer(r"\b(outcome|claimed|lane_state|position_decision|verdict)::(\w+)\b", code):
        if other := SWAPPED[m[1]].get(m[2]):
            yield f"{m[0]} at {m.start()} is {other}", lambda n, m=m, other=other: (
                f"{line[:m.start()]}::sluice_planted::pick({n}, {m[0]}, {m[1]}::{other}){line[m.end():]}"), None


def statements(code, line, before, behind):
    text = code.strip()
    if not text.endswith(";") or text.count("(") != text.count(")") or text.count("{") != text.count("}"):
        return
    if not re.search(r"([;{})]|\belse|:)$", before.strip()) and before.strip():
        return
    if behind.strip().startswith("else") or re.match(r"(return|break|continue|throw|for|while|do|else|case|public|auto)\b", text):
        return
    call = re.match(r"(if \(.*\) )?[\w.:>\-\[\]]+(<\w+>)?\(.*\);$", text)
    assignment = re.match(r"(if \(.*\) )?[\w.:>\-\[\]()]+ (=|\+=|-=|\|=|&=|\^=) .*;$", text)
    step = re.match(r"(if \(.*\) )?(\+\+|--)[\w.:>\-\[\]()]+;$", text)
    if call or assignment or step:
        at = len(line) - len(line.lstrip())
        yield "statement is left out", lambda n: (
            f"{line[:at]}{{ if (!::sluice_planted::on({n})) {{ {line[at:len(code)]} }} }}"), None


def all_of(headers):
    found = []
    for file in headers:
        lines = (TOP / "include/sluice" / file).read_text().split("\n")
        codes = [blank(line).rstrip() for line in lines]
        alike = collections.Counter(line.strip() for line in lines)
        for i, (line, code) in enumerate(zip(lines, codes)):
            if not code.strip() or NOT_CODE.search(code) or TELLS.search(code):
                continue
            before = next((c for c in reversed(codes[:i]) if c.strip()), "")
            behind = next((c for c in codes[i + 1:] if c.strip()), "")
            for what, change, relation in (*comparisons(code, line), *conditions(code, line), *returns(code, line),
                                           *ones(code, line), *answers(code, line),
                                           *statements(code, line, before, behind)):
                one = mutant(file, i, line, what, change)
                one.relation = relation
                one.behind = before.strip() if alike[line.strip()] > 1 else ""
                found.append(one)
    return found


def sample(mutants, count):
    """Those of chosen.txt that are there, and where that is not enough others: of each kind in turn, so that there are many of each,
    two of a line at most; always the same ones."""
    names = {line for line in (TOP / "test/mutation/chosen.txt").read_text().splitlines() if not line.startswith("#")}
    known = [one for one in mutants if one.key() in names][:count]
    return known + by_chance([one for one in mutants if one.key() not in names], count - len(known))


def by_chance(mutants, count):
    kinds, of_line = {}, collections.Counter()
    for one in sorted(mutants, key=lambda m: hashlib.sha256(m.key().encode()).digest()):
        of_line[one.file, one.line] += 1
        if of_line[one.file, one.line] <= 2:
            kinds.setdefault(kind_of(one), []).append(one)
    chosen = []
    while len(chosen) < count and any(kinds.values()):
        chosen += [some.pop() for some in kinds.values() if some]
    return chosen[:count]


def kind_of(one):
    if one.relation:
        return "another comparison"
    if "&&" in one.what:
        return "and for or, or for and"
    return re.sub(r" at \d+|[+-] (?=1)", "", one.what) if "::" not in one.what else "another answer"


def layers(mutants):
    """Each list has at most one of a line, so that all of a list can stand in one copy."""
    lists = []
    for one in mutants:
        for some in lists:
            if (one.file, one.line) not in some:
                some[one.file, one.line] = one
                break
        else:
            lists.append({(one.file, one.line): one})
    return [list(some.values()) for some in lists]


def plant(mutants):
    """({file: text}, declarations): numbers from 1 on, in this order."""
    texts, declarations = {}, ""
    for number, one in enumerate(mutants, 1):
        one.number = number
        lines = texts.setdefault(one.file, (TOP / "include/sluice" / one.file).read_text().split("\n"))
        lines[one.line] = one.change(number)
        if one.relation:
            kind, was, now = one.relation
            declarations += f"inline constexpr {kind}<{number}, {was}, {now}> m{number}{{}};\n"
    return {file: "\n".join(lines) for file, lines in texts.items()}, declarations
