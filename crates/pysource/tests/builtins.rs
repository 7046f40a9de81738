//! What Python's own functions and methods give is what the reader takes them to give: Python itself says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use pysource::{Entrypoint, Files, endpoints};

const PRELUDE: &str = "\
import copy, itertools
from typing import cast

def doubled(x):
    return x + x

def is_short(x):
    return len(x) < 2

class Animal:
    kind = 'animal'

class Dog(Animal):
    def __init__(self):
        self.name = 'rex'
    def speak(self):
        return 'wuff'

dog = Dog()
letters = ['c', 'a', 'b']
prices = {'tea': 2, 'milk': 1}
";

/// Each binds `found` to what can be gone through: texts, numbers and truths.
const KNOWN: [&str; 29] = [
    "found = [str(), str(1), str(True), str(None), str('x'), int(' 7 '), int(True), int(3)]",
    "found = [bool(''), bool('x'), bool([]), bool({'a': 1}), bool(0), bool(None), bool(dog.speak)]",
    "found = [len('abc'), len(letters), len(prices), len(())]",
    "found = list(letters) + list(tuple('xy')) + list(reversed(letters)) + sorted(letters) + list(iter('z'))",
    "found = sorted(set(letters)) + sorted(frozenset(['q']))",
    "found = list(dict(a='x').values()) + list(dict([('k', 'v')], z='w')) + list(dict(prices, rum=3).values())",
    "found = list(range(3)) + list(range(1, 3)) + list(range(0, 9, 4)) + list(range(3, 1))",
    "found = [f'{i}{x}' for i, x in enumerate(letters)] + [f'{i}{x}' for i, x in enumerate(letters, start=5)]",
    "found = [f'{i}{x}' for i, x in enumerate('ab', 1)] + [a + b for a, b in zip(letters, 'xyz1')] + list(zip())",
    "found = list(map(doubled, letters)) + list(filter(is_short, ['a', 'bb', 'c'])) + list(map(str, [1, 2]))",
    "found = [next(iter(letters)), any([False, 1]), any([]), all([1, '']), all(letters), all([])]",
    "found = [getattr(dog, 'name'), getattr(Dog, 'kind'), getattr(dog, 'speak')()]",
    "found = [hasattr(dog, 'name'), hasattr(Dog, 'speak'), hasattr(1, 'routes')]",
    "setattr(dog, 'age', 7)\nfound = [dog.age, type(dog).kind]",
    "found = [isinstance(dog, Dog), isinstance(dog, Animal), isinstance('x', str), isinstance(1, int)]",
    "found = [isinstance('x', (int, str)), isinstance(1, str), isinstance('x', Dog), isinstance(prices, dict)]",
    "found = [isinstance(letters, list), isinstance((), tuple), isinstance(letters, (tuple, set))]",
    "found = [callable(doubled), callable(Dog), callable('x')]",
    "found = list(itertools.chain('ab', letters)) + [cast(str, 'x')] + copy.copy(letters) + copy.deepcopy(['y'])",
    "xs = ['a']\nxs.append('b')\nxs.insert(0, 'c')\nxs.insert(-1, 'd')\nxs.extend(['e', 'f'])\nxs.remove('a')\nfound = xs",
    "xs = list(letters)\nlast = xs.pop()\nys = xs.copy()\nxs.clear()\nfound = [last, len(xs)] + ys",
    "xs = set()\nxs.add('a')\nxs.update(['b'])\nxs.discard('a')\nfound = xs",
    "found = list(prices.keys()) + list(prices.values()) + [f'{k}{v}' for k, v in prices.items()]",
    "d = dict(prices)\nfound = [d.get('tea'), d.get('gin'), d.get('gin', 9), d.pop('tea'), d.pop('gin', 8), len(d)]",
    "d = prices.copy()\nd.update({'gin': 3}, rum=4)\nd.setdefault('rum', 5)\nd.setdefault('ale', 6)\nfound = [f'{k}{v}' for k, v in d.items()]",
    "d = {'a': 1, 'b': 2}\nk, v = d.popitem()\nfound = [k, v, len(d), 'a' in d, 'b' in d]",
    "found = [letters[0], letters[-1], prices['tea'], 'abc'[1:], ''.join(letters[1:3]), letters[:2][0]]",
    "found = [1 + 2, 7 - 2, 3 * 4, 9 // 2, 'a' + 'b', 'x%s' % 'y', -3, +3, not letters, 1 < 2, 2 <= 1, 3 > 2, 3 >= 3]",
    "found = ['a' in 'abc', 'z' not in letters, None is None, letters == ['c', 'a', 'b'], 1 != 2, 'x' or 'y', '' and 'y']",
];
/// What is not known is never guessed.
const UNKNOWN: [&str; 9] = [
    "found = list(open('names'))",
    "found = sorted(globals_of_somebody)",
    "found = zip(letters, unheard_of)",
    "found = map(doubled, unheard_of)",
    "found = enumerate(unheard_of)",
    "found = range(unheard_of)",
    "found = dict(unheard_of)",
    "found = itertools.chain(letters, unheard_of)",
    "found = filter(unheard_of, letters)",
];

/// The last parts of the paths that are listed for what `found` has.
fn read(case: &str) -> Vec<String> {
    let program = format!(
        "{PRELUDE}\nfrom fastapi import FastAPI\napp = FastAPI()\ndef answer(): ...\n{case}\n\
         for number, one in enumerate(found):\n    app.get(f'/{{number}}/{{one}}')(answer)\n"
    );
    let files = Files::from([("main.py".to_owned(), program.into_bytes())]);
    let entry = Entrypoint { module: "main".to_owned(), attribute: "app".to_owned(), factory: false };
    endpoints(&files, &entry).endpoints.into_iter().map(|one| one.path).collect()
}

/// What Python says of all cases, a line of paths for each.
fn python() -> Vec<Vec<String>> {
    let script = format!(
        "import json, sys\nfor case in json.loads(sys.argv[1]):\n    names = {{}}\n    \
         exec({PRELUDE:?} + case, names)\n    \
         print(json.dumps([f'/{{n}}/{{one}}' for n, one in enumerate(names['found'])]))\n"
    );
    let cases = serde_json::to_string(&KNOWN).unwrap();
    let output = Command::new("python3").args(["-c", &script, &cases]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_is_known_is_what_python_makes_of_it() {
    let wrong: Vec<_> = KNOWN
        .iter()
        .zip(python())
        .map(|(case, expected)| (case, read(case), expected))
        .filter(|(_, read, expected)| expected.is_empty() || read != expected)
        .collect();
    assert!(wrong.is_empty(), "case, read, Python's: {wrong:#?}");
}

#[test]
fn what_is_not_known_lists_nothing() {
    for case in UNKNOWN {
        assert_eq!(read(case), [] as [&str; 0], "{case}");
    }
}
