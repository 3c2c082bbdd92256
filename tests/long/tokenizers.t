#!/bin/sh
# Tokenizers of every kind as the tokenizers library has them: small ones made on the spot, ones of the
# shapes that are published, and published ones over the whole corpus, document by document.
# QUERN_PYTHON names a Python that has the library.

. "${0%/*}/../lib.sh"
need_command tokenize detokenize
python=${QUERN_PYTHON:-python3}
"$python" -c 'import tokenizers' 2>/dev/null || skip_all "no tokenizers (QUERN_PYTHON)"

# compare NAME ARGUMENT...
compare() {
    name=$1
    shift
    if "$python" "$TOP/tests/long/compare_tokenizers.py" "$@" >out 2>err && grep -q '^1\.\.[1-9]' out; then
        pass "$name: $(grep -c '^ok' out) comparisons"
    else
        fail "$name"
        diag "$(grep -A 2 '^not ok' out | head -n 30)$(tail -n 3 err)"
    fi
}

compare "tokenizers made at random" kinds 1 200
hf=$SHARED/data/tokenizers/hf
if [ -d "$hf" ] && [ -d "$SHARED/data/corpus" ]; then
    compare "tokenizers as published ones look" shapes "$hf/xlnet_base_cased.tokenizer.json.gz"
    for file in "$hf"/*.tokenizer.json.gz; do
        base=${file##*/}
        compare "${base%%.*} over the corpus" files 1 "$file" -- "$SHARED"/data/corpus/*.jsonl.gz
    done
else
    skip 2 "no published tokenizers, no corpus"
fi
done_testing
