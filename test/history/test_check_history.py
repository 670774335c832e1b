"""Histories in which one anomaly was planted, and clean ones: check_history finds exactly that one, and nothing."""
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

program = pathlib.Path(__file__).with_name("check_history")
loader = importlib.machinery.SourceFileLoader("check_history", str(program))
module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
sys.dont_write_bytecode = True
loader.exec_module(module)


class History:
    """Written as it would happen: each call is a moment later."""

    def __init__(self, sent=10, partition=0):
        self.events, self.now, self.partition = [], 0, partition
        for o in range(sent):
            self.add("sent", "producer", o)

    def add(self, what, process, offset, value=None, time=None):
        self.now += 10
        e = {"what": what, "process": process, "time": self.now if time is None else time, "partition": self.partition,
             "offset": offset}
        if what in ("sent", "polled", "handled", "applied"):
            e["value"] = f"v{offset}" if value is None else value
        self.events.append(e)
        return self

    def at(self, process, *steps):
        """Words such as "assigned 0": what, and offsets, or ranges with their end left out: "polled 0-3"."""
        for step in steps:
            what, *offsets = step.split()
            for text in offsets or ["0"]:
                begin, _, end = text.partition("-")
                for o in range(int(begin), int(end)) if end else [int(begin)]:
                    self.add(what, process, o)
        return self

    def anomalies(self, delivery, batch=None):
        return sorted({a["anomaly"] for a in module.Checker(delivery, batch).check(self.events)})


def at_most_once(h, process, begin, end):
    return h.at(process, f"stored {end}", f"polled {begin}-{end}", f"handled {begin}-{end}")


def at_least_once(h, process, begin, end):
    return h.at(process, f"polled {begin}-{end}", f"handled {begin}-{end}", f"stored {end}")


class Clean(unittest.TestCase):
    def check(self, h, delivery, batch=None):
        self.assertEqual(h.anomalies(delivery, batch), [])

    def test_one_process(self):
        for delivery, steps in (("at_most_once", at_most_once), ("at_least_once", at_least_once)):
            h = History().at("a", "assigned 0")
            self.check(steps(steps(h, "a", 0, 4), "a", 4, 10), delivery)

    def test_at_most_once_loses_what_was_in_hand(self):
        h = History().at("a", "assigned 0", "stored 4", "polled 0-4", "handled 0-2")
        self.check(at_most_once(h.at("b", "assigned 4"), "b", 4, 10), "at_most_once", 4)

    def test_at_most_once_whose_last_answer_was_not_told(self):
        h = at_most_once(History().at("a", "assigned 0"), "a", 0, 4)
        self.check(at_most_once(h.at("b", "assigned 7"), "b", 7, 10), "at_most_once", 4)

    def test_at_most_once_that_ends_in_a_lost_batch(self):
        h = at_most_once(History().at("a", "assigned 0"), "a", 0, 8).at("a", "stored 10")
        self.check(h.at("b", "assigned 10"), "at_most_once", 4)

    def test_at_least_once_repeats_what_was_not_stored(self):
        h = History().at("a", "assigned 0", "polled 0-4", "handled 0-3")
        self.check(at_least_once(h.at("b", "assigned 0"), "b", 0, 10), "at_least_once")

    def test_a_sleeper_tells_late_what_it_had_stored(self):
        h = History().at("a", "assigned 0", "polled 0-4", "handled 0-4")
        h.at("b", "assigned 4", "polled 4-10", "handled 4-10", "stored 10")
        self.check(h.at("a", "stored 4", "revoked"), "at_least_once")

    def test_a_sleeper_goes_on_with_its_batch(self):
        h = History().at("a", "assigned 0", "polled 0-4", "handled 0-2")
        at_least_once(h.at("b", "assigned 0"), "b", 0, 10)
        self.check(h.at("a", "handled 2-4", "revoked"), "at_least_once")

    def test_given_back_and_had_again(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 4).at("a", "revoked")
        at_least_once(h.at("b", "assigned 4"), "b", 4, 6).at("b", "revoked")
        self.check(at_least_once(h.at("a", "assigned 6"), "a", 6, 10), "at_least_once")

    def test_transactional_runs_a_handler_twice(self):
        h = History().at("a", "assigned 0", "polled 0-5", "handled 0-5", "handled 0-5", "stored 5")
        h.at("b", "assigned 5", "polled 5-10", "handled 5-10", "stored 10")
        self.check(h.at("database", "applied 0-10"), "transactional")

    def test_gaps_in_the_offsets(self):
        h = History(0)
        for o in (3, 5, 9):
            h.add("sent", "producer", o)
        self.check(h.at("a", "assigned 0", "polled 3 5 9", "handled 3 5 9", "stored 10"), "at_least_once")

    def test_two_partitions(self):
        a, b = History(), History(5, 1)
        at_least_once(a.at("a", "assigned 0"), "a", 0, 10)
        at_least_once(b.at("a", "assigned 0"), "a", 0, 5)
        a.events += b.events
        self.check(a, "at_least_once")

    def test_the_order_of_lines_is_nothing(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        h.events.reverse()
        self.check(h, "at_least_once")


class Planted(unittest.TestCase):
    def check(self, h, delivery, anomaly, batch=None):
        self.assertEqual(h.anomalies(delivery, batch), [anomaly])

    def test_lost_at_least_once(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 9)
        self.check(h, "at_least_once", "lost")

    def test_lost_in_a_batch(self):
        h = History().at("a", "assigned 0", "stored 10", "polled 0-10", "handled 0-4 5-10")
        self.check(h, "at_most_once", "lost")

    def test_lost_at_the_end(self):
        self.check(at_most_once(History().at("a", "assigned 0"), "a", 0, 9), "at_most_once", "lost")

    def test_more_than_a_batch_lost(self):
        h = at_most_once(History().at("a", "assigned 0"), "a", 0, 2)
        self.check(at_most_once(h.at("b", "assigned 7"), "b", 7, 10), "at_most_once", "lost", 4)

    def test_lost_result(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        self.check(h.at("database", "applied 0-7 8-10"), "transactional", "lost")

    def test_duplicated_at_most_once(self):
        h = at_most_once(History().at("a", "assigned 0"), "a", 0, 10)
        h.at("b", "assigned 10").add("stored", "b", 10)
        self.check(h.at("b", "handled 9"), "at_most_once", "duplicated")

    def test_duplicated_without_a_cause(self):
        h = History().at("a", "assigned 0", "polled 0-10", "handled 0-10", "handled 4", "stored 10")
        self.check(h, "at_least_once", "duplicated")

    def test_duplicated_result(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        self.check(h.at("database", "applied 0-10", "applied 9"), "transactional", "duplicated")

    def test_out_of_order(self):
        h = History().at("a", "assigned 0", "polled 0-10", "handled 0 1 3 2 4-10", "stored 10")
        self.check(h, "at_least_once", "out of order")
        h = History().at("a", "assigned 0", "stored 10", "polled 0-10", "handled 0 1 3 2 4-10")
        self.check(h, "at_most_once", "out of order")

    def test_results_out_of_order(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        self.check(h.at("database", "applied 0-5 6 5 7-10"), "transactional", "out of order")

    def test_non_monotonic_poll(self):
        h = History().at("a", "assigned 0", "polled 0-5", "polled 3", "polled 5-10", "handled 0-10", "stored 10")
        self.check(h, "at_least_once", "non-monotonic poll")

    def test_poll_before_the_claimed_position(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 5)
        h.at("b", "assigned 5", "polled 4-10", "handled 4-10", "stored 10")
        self.check(h, "at_least_once", "non-monotonic poll")

    def test_skipped(self):
        h = History().at("a", "assigned 0", "polled 0-3 4-6", "handled 0-3 4-6", "stored 3")
        self.check(at_least_once(h.at("b", "assigned 3"), "b", 3, 10), "at_least_once", "skipped")

    def test_skipped_behind_a_claim(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 5)
        h.at("b", "assigned 5", "polled 6-8")
        self.check(at_least_once(h.at("c", "assigned 5"), "c", 5, 10), "at_least_once", "skipped")

    def test_skipped_at_most_once(self):
        h = History().at("a", "assigned 0", "stored 10", "polled 0-3 4-10", "handled 0-3 4-10")
        self.check(h, "at_most_once", "skipped")

    def test_handled_before_stored(self):
        h = History().at("a", "assigned 0", "polled 0-4", "handled 0-4", "stored 4")
        self.check(at_most_once(h, "a", 4, 10), "at_most_once", "handled before stored")

    def test_handled_what_another_stored(self):
        h = History().at("a", "assigned 0", "stored 4", "polled 0-4", "handled 0-4")
        h.at("b", "assigned 4", "polled 4-10", "handled 4-10")
        self.check(h, "at_most_once", "handled before stored")

    def test_stored_beyond_handled(self):
        h = History().at("a", "assigned 0", "polled 0-4", "handled 0-3", "stored 4", "handled 3")
        self.check(at_least_once(h, "a", 4, 10), "at_least_once", "stored beyond handled")

    def test_a_claim_beyond_handled(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 4)
        h.at("b", "assigned 5", "revoked")
        self.check(at_least_once(h.at("c", "assigned 4"), "c", 4, 10), "at_least_once", "stored beyond handled")

    def test_went_back(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 8)
        h.at("b", "assigned 8", "revoked")
        self.check(at_least_once(h.at("b", "assigned 4"), "b", 4, 10), "at_least_once", "went back")

    def test_stored_back(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 8)
        h.at("b", "assigned 8", "polled 8-10", "handled 8-10", "stored 10").at("a", "revoked", "stored 8")
        self.check(h, "at_least_once", "went back")

    def test_not_owned(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 8).at("a", "revoked", "polled 8")
        self.check(at_least_once(h.at("b", "assigned 8"), "b", 8, 10), "at_least_once", "not owned")

    def test_handled_without_owning(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 8).at("a", "polled 8", "revoked", "handled 8")
        self.check(at_least_once(h.at("b", "assigned 8"), "b", 8, 10), "at_least_once", "not owned")

    def test_wrong_value(self):
        h = History().at("a", "assigned 0", "polled 0-10", "handled 0-9").add("handled", "a", 9, "v3")
        self.check(h.at("a", "stored 10"), "at_least_once", "wrong value")

    def test_unseen(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        self.check(h.at("a", "polled 10"), "at_least_once", "unseen")

    def test_inconsistent_offsets(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        self.check(h.add("sent", "producer", 3, "other"), "at_least_once", "inconsistent offsets")


class Program(unittest.TestCase):
    def run_on(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for i, text in enumerate(texts):
                files.append(pathlib.Path(folder, f"{i}.jsonl"))
                files[-1].write_text(text, encoding="utf-8")
            return subprocess.run([sys.executable, program, "--delivery", "at_least_once", *files], capture_output=True, text=True)

    @staticmethod
    def lines(h):
        return "".join(json.dumps(e) + "\n" for e in h.events)

    def test_exit_status(self):
        h = at_least_once(History().at("a", "assigned 0"), "a", 0, 10)
        clean = self.run_on(self.lines(h))
        self.assertEqual((clean.returncode, clean.stdout.split(";")[0]), (0, "0 anomalies"))
        h.events = [e for e in h.events if (e["what"], e["offset"]) != ("handled", 9)]
        found = self.run_on(self.lines(h))
        self.assertEqual(found.returncode, 1)
        self.assertIn('"anomaly": "lost"', found.stdout)

    def test_a_last_line_may_be_cut(self):
        text = self.lines(at_least_once(History().at("a", "assigned 0"), "a", 0, 10))
        self.assertEqual(self.run_on(text + '{"what": "pol').returncode, 0)
        self.assertNotEqual(self.run_on('{"what": "pol\n' + text).returncode, 0)

    def test_nothing_is_no_history(self):
        self.assertNotEqual(self.run_on("").returncode, 0)


if __name__ == "__main__":
    unittest.main()
