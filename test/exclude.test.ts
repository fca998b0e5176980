// Globs of --exclude.

import { expect, test } from "vitest";
import { excludeFilter } from "../src/tree/exclude.ts";

test.each<[string, string[], string[]]>([
  ["*.o", ["/a.o", "/d/b.o", "/d/.o"], ["/a.oo", "/o"]],
  [".git", ["/.git", "/d/.git"], ["/git", "/.gitignore"]],
  ["/tmp", ["/tmp"], ["/d/tmp", "/tmpx"]],
  ["./tmp/", ["/tmp"], ["/d/tmp", "/tmpx"]],
  ["/usr/**", ["/usr/a", "/usr/a/b", "/usr/.c"], ["/usr", "/usrx/a"]],
  ["/usr/*", ["/usr/a", "/usr/.c"], ["/usr", "/usr/a/b"]],
  ["/var/**/*.log", ["/var/a.log", "/var/b/c.log"], ["/var", "/a.log"]],
  ["[ab]?", ["/ax", "/d/by"], ["/a", "/cx", "/axx"]],
])("%s", (glob, matched, kept) => {
  const excluded = excludeFilter([glob]);
  expect(matched.filter((path) => !excluded(path))).toEqual([]);
  expect(kept.filter(excluded)).toEqual([]);
});
