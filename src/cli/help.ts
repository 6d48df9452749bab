export const HELP = `Ask about a whole repository with a model on your own machine.

Usage
  longview ask [options] "question"
  longview models [list]
  longview models download ID
  longview models import PATH      a GGUF file of a known model, for machines without a network
  longview cache purge             removes what was computed of repositories: it holds source text

Options of ask
  --repo DIR          the repository; default: the current folder
  --attach PATH       a file or folder of the repository that goes with the question, whole; more than once for more
  --model ID|PATH     a model of "longview models", a GGUF file, or a folder of safetensors
  --attention KIND    auto, dense or sample
  --quality CLASS     fast or balanced: how closely sample attention follows dense
  --device KIND       auto, cpu or cuda
  --gpu N             which NVIDIA GPU, counted from 0; default: the first that can be used
  --precision KIND    bf16 or fp8: how a GPU multiplies a prompt; fp8 is faster and less exact
  --context N         tokens of prompt and answer together
  --max-tokens N      tokens of the answer at most
  --compare           ask twice, with sample and with dense attention, and show both
  --allow-secrets     send files that look as if they held a secret; without it they are held back and named
  --json              one JSON object on stdout instead of text
  --verbose           what the server logs, on stderr

Everywhere
  --help, --version

A model that is missing is downloaded first. Where only packages of third parties have it, they are named.
What is asked for and not available (--attention sample, --device cuda) is an error, never replaced.

Exit codes
  0 answered   1 failed, the reason is on stderr   2 wrong usage   130 stopped by Ctrl-C
`;
