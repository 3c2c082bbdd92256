# shellcheck shell=sh disable=SC2154 # lib.sh sets status, err and hit
# What tests of training share: a small model and small data, made here. After lib.sh:
#     . "$TOP/tests/train.sh"

# Documents of ids below 60 in which the next one can be guessed, a line each; some are empty, some
# have one token. train_ids N SEED
train_ids() {
    awk -v docs="$1" -v x="$2" 'BEGIN {
        for (d = 0; d < docs; d++) {
            n = (d * 37) % 50; y = d % 7; line = ""
            for (i = 0; i < n; i++) {
                x = (x * 1103515245 + 12345) % 2147483648
                y = (y * 5 + 3 + int(x / 65536) % 3) % 60
                line = line (i ? " " : "") y
            }
            print line
        }
    }'
}

# x.tok, about 1500 tokens in 60 documents; v.tok, a third of that; tiny.json, 7000 weights
train_data() {
    train_ids 60 1 >ids.txt
    train_ids 20 99 >val.txt
    shard import -q --ids --vocab-size 64 --bos 60 --eos 61 -o x.tok ids.txt
    shard import -q --ids --vocab-size 64 --bos 60 --eos 61 -o v.tok val.txt
    tiny_config n_layer 1 >tiny.json
}

# tiny_config [KEY VALUE]...: a GPT-2 of one layer
tiny_config() {
    echo '{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 64,
"n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_inner": null,
"activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "initializer_range": 0.02,
"tie_word_embeddings": true, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}' |
        awk -v keys="$*" '{
            n = split(keys, k, " ")
            for (i = 1; i < n; i += 2) sub("\"" k[i] "\": [^,}]*", "\"" k[i] "\": " k[i + 1])
            print
        }'
}

# What of a log does not depend on the clock.
log_of() {
    cut -f 1-6 "$1/log.tsv"
}

# same_run RUN RUN NAME: the same weights, the same log
same_run() {
    cmp "$1/model.safetensors" "$2/model.safetensors" >&2 && [ "$(log_of "$1")" = "$(log_of "$2")" ]
    tap_line $? "$3" || {
        diag "$1 and $2 differ"
        log_of "$1" >.log1
        log_of "$2" >.log2
        diff .log1 .log2 | head -n 8 >&2
    }
}

# whole RUN: what a finished run may hold, and nothing else
whole() {
    find "$1" ! -name '*.json' ! -name model.safetensors ! -name moments.safetensors \
        ! -path "$1" ! -path "$1/checkpoint-*" ! -name lock ! -name log.tsv ! -name best
}

# ---- interruptions

# go_on RUN INPUT COMMAND...: resumes RUN; where not even run.json was stored, COMMAND starts it anew
# INPUT is at hand on stdin
go_on() {
    tap_run=$1 tap_input=$2
    shift 2
    if [ -e "$tap_run/run.json" ]; then
        pretrain --resume -q -j 1 -o "$tap_run" <"$tap_input"
    else
        "$@" <"$tap_input"
    fi
}

# interrupted_at CALL N HOW RUN REF INPUT COMMAND...: COMMAND, which trains in RUN, is stopped at its
# Nth CALL and gone on with; the result must be that of REF. Adds what is wrong to $bad; $hit is no
# where there are fewer calls.
interrupted_at() {
    tap_what="$1 $2 $3" tap_how=$3 tap_dir=$4 tap_ref=$5 tap_in=$6
    rm -rf "$tap_dir"
    tap_call=$1 tap_nth=$2
    shift 6
    injected "$tap_call" "$tap_nth" "$tap_how" "$@" <"$tap_in"
    [ "$hit" = yes ] || return 0
    case $tap_how:$status in
    kill:137 | term:143 | int:130 | term:0 | int:0 | kill:0) ;;
    kill:* | term:* | int:*) bad="$bad; $tap_what: status $status: $err" ;;
    *:0) ;; # the call is one that may fail
    *:1) [ "$(printf '%s\n' "$err" | wc -l)" -eq 1 ] || bad="$bad; $tap_what: says $err" ;;
    *) bad="$bad; $tap_what: status $status: $err" ;;
    esac
    n_interrupted=$((n_interrupted + 1))
    # a reader finds a model, or hears that there is none yet
    if [ -n "${readable:-}" ] && ! perplexity -m "$tap_dir" --context 16 v.tok >.read 2>&1; then
        grep -Eq 'no complete model yet|No such file|it lacks' .read ||
            bad="$bad; $tap_what: reading it: $(cat .read)"
    fi
    go_on "$tap_dir" "$tap_in" "$@" 2>.again || bad="$bad; $tap_what: going on: $(cat .again)"
    cmp -s "$tap_dir/model.safetensors" "$tap_ref/model.safetensors" ||
        bad="$bad; $tap_what: another model"
    [ "$(log_of "$tap_dir")" = "$(log_of "$tap_ref")" ] || bad="$bad; $tap_what: another log"
    [ "$(cd "$tap_dir" && ls)" = "$(cd "$tap_ref" && ls)" ] ||
        bad="$bad; $tap_what: leaves $(cd "$tap_dir" && echo .[a-z]* ./*)"
    [ -z "$(find "$tap_dir" -name '.*.tmp')" ] || bad="$bad; $tap_what: leaves temporary files"
}

# interrupted NAME STRIDE HOW "CALL..." RUN REF INPUT COMMAND...: the same for every STRIDEth of each
# of the calls
interrupted() {
    tap_title=$1 tap_stride=$2 tap_hows=$3 tap_calls=$4
    shift 4
    bad='' n_interrupted=0
    for tap_each in $tap_calls; do
        tap_k=1
        while [ "$tap_k" -lt 1000 ]; do
            interrupted_at "$tap_each" "$tap_k" "$tap_hows" "$@"
            [ "$hit" = yes ] || break
            tap_k=$((tap_k + tap_stride))
        done
    done
    is "$bad" '' "$tap_title, $n_interrupted times"
}
