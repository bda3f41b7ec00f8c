# Reads the output of cargo test, Vitest and Playwright and prints how many tests passed and failed.

{ gsub(/\033\[[0-9;]*m/, "") }

# test result: ok. 12 passed; 0 failed; 0 ignored; …
/^test result: / {
  for (i = 1; i < NF; i++) {
    if ($(i + 1) == "passed;") passed += $i
    if ($(i + 1) == "failed;") failed += $i
  }
}

#       Tests  1 failed | 12 passed (13)
/^ *Tests  +[0-9]/ {
  for (i = 2; i < NF; i++) {
    if ($(i + 1) == "passed") passed += $i
    if ($(i + 1) == "failed") failed += $i
  }
}

#  Test Files  1 failed (1): a file that does not load counts no test. Kept apart, since its tests may count as well.
/^ *Test Files  +[0-9]+ failed/ { files += $3 }

#   12 passed (34.5s), 1 failed, 1 flaky (passed when tried again), 2 did not run
/^  [0-9]+ passed( \(|$)/ { passed += $1 }
/^  [0-9]+ flaky$/ { passed += $1 }
/^  [0-9]+ (failed|did not run|interrupted)$/ { failed += $1 }

END {
  if (failed == 0) failed = files
  print passed + 0, failed + 0
}
