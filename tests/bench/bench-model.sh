# Whole models, by model bench: training, prompts, writing, long contexts; peaks first.
# With QUERN_PYTHON, an interpreter that has torch, PyTorch's training runs between ours.
# A row that fails is told at the end, too, by the exit status; those after it are measured.
set -eu
shared=${0%/*}/../../../shared
failed=0

complain() {
    echo "bench-model: $*: failed" >&2
    failed=1
}

row() { # row NAME DTYPE MODEL OPTION...
    name=$1 dtype=$2 model=$3
    shift 3
    { bin/model bench --json --gemm own --dtype "$dtype" "$@" "$model" || echo failed; } | perl -ne '
        BEGIN { $| = 1 }
        exit 1 if /failed$/;
        my %v = /"(\w+)":"?([^",}]*)/g;
        if ($v{kind} eq "peak") {
            next unless $ENV{PEAKS};
            my $what = $v{dtype} eq "null" ? "memory" : $v{dtype};
            printf "peak-%s %.1f %s\n", $what, ($v{dtype} eq "null" ? $v{bytes_per_s} : $v{flops_per_s}) / 1e9,
                $v{dtype} eq "null" ? "GB/s" : "GFLOP/s";
        } else {
            my $n = "'"$name"'/$v{kind}-$v{batch}x$v{context}-$v{dtype}";
            printf "%s %.1f tok/s %.0f%%\n", $n, $v{tok_per_s}, 100 * $v{peak_share};
            printf "%s/first-over-later %.2f x\n", $n, $v{first_s} / $v{step_s};
            printf "%s/memory %.2f GiB\n", $n, $v{max_rss_bytes} / 2**30;
        }' || complain "$name $dtype $*"
}
peer() { # peer BxT:DTYPE[:compile]
    [ -n "${QUERN_PYTHON:-}" ] && [ -f "$shared/bench/train-torch.py" ] || return 0
    figures=$("$QUERN_PYTHON" "$shared/bench/train-torch.py" "$1" 2>/dev/null) || complain "torch $1"
    printf '%s\n' "$figures" |
        sed -n "s|^torch [^ ]* \([^:]*\):\(.*\): \([0-9.]*\) tok/s.*|torch/gpt2-124m/train-\1-\2 \3 tok/s|p" | tr : -
}

PEAKS=1 row gpt2-124m bf16 gpt2-124m --train 1x1024
peer 1x1024:bf16
peer 1x1024:bf16:compile
row gpt2-124m bf16 gpt2-124m --train 4x64,4x1024
peer 4x64:bf16:compile
row gpt2-124m f32 gpt2-124m --train 1x1024,4x64
peer 1x1024:f32
peer 4x64:f32
row smollm2-135m bf16 smollm2-135m --train 1x1024,1x4096 --prefill 512 --decode 128
row smollm2-135m bf16 smollm2-135m --recompute block --train 1x16384
exit $failed
