#!/usr/bin/env bash
# Runs every chapter from /chapters in a folder of its own, as Colab does: nothing of the repository lies beside it, and
# its first cell installs the package. Fails after the last chapter if any of them failed.
set -uo pipefail

failed=()
for chapter in "${1:-/chapters}"/[0-9]*.ipynb; do
  name=$(basename "$chapter" .ipynb)
  folder=$(mktemp -d)
  cp "$chapter" "$folder/"
  echo "::group::$name"
  (cd "$folder" && jupyter nbconvert --to notebook --execute --ExecutePreprocessor.timeout=900 --output executed "$name.ipynb") \
    || failed+=("$name")
  echo "::endgroup::"
done
if [ "${#failed[@]}" -gt 0 ]; then
  echo "failed: ${failed[*]}"
  exit 1
fi
echo "all chapters ran"
