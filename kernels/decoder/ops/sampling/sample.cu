// Three kernels: a survey of the logits, the weights of all tokens in bins, the choice.
#include <cmath>
#include <cstdint>

#include "common/programmatic_launch.cuh"
#include "decoder/ops/checks.h"
#include "decoder/ops/sampling/api.h"
#include "decoder/ops/sampling/random.h"
#include "decoder/ops/sampling/selection.cuh"

namespace longview::decoder {

namespace {

/// Both findings together. Comparisons with NaN are false, so a NaN never becomes the maximum.
__device__ Survey merged(const Survey& a, const Survey& b) {
  const bool takes_b = b.likeliest >= 0 && (a.likeliest < 0 || b.maximum > a.maximum ||
                                            (b.maximum == a.maximum && b.likeliest < a.likeliest));
  return {takes_b ? b.maximum : a.maximum, takes_b ? b.likeliest : a.likeliest,
          min(a.first_unusable, b.first_unusable)};
}

/// The findings of all lanes, in every lane.
__device__ Survey merged_in_warp(Survey own) {
  for (int distance = 16; distance > 0; distance /= 2) {
    own = merged(own, {__shfl_xor_sync(0xffffffffu, own.maximum, distance),
                       __shfl_xor_sync(0xffffffffu, own.likeliest, distance),
                       __shfl_xor_sync(0xffffffffu, own.first_unusable, distance)});
  }
  return own;
}

__device__ Survey nothing_found() { return {-INFINITY, -1, kMaxCandidates}; }

__global__ void survey_kernel(const __grid_constant__ SampleParams params) {
  __shared__ Survey of_warps[kSurveyThreads / 32];
  let_next_kernel_start();
  wait_for_previous_kernel();
  auto& workspace = *static_cast<SampleWorkspace*>(params.workspace);
  const int thread = blockIdx.x * kSurveyThreads + threadIdx.x;
  constexpr int kThreads = kSurveyBlocks * kSurveyThreads;
  for (int i = thread; i < kBins; i += kThreads) workspace.bins[i] = {0, 0};
  Survey found = nothing_found();
  for (int id = thread; id < params.candidates; id += kThreads) {
    const float logit = params.logits[id];
    const bool is_usable = logit < INFINITY;
    const bool is_finite = is_usable && logit > -INFINITY;
    found = merged(found, {logit, is_finite ? id : -1, is_usable ? kMaxCandidates : id});
  }
  found = merged_in_warp(found);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = found;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (const Survey& of_warp : of_warps) found = merged(found, of_warp);
  workspace.surveys[blockIdx.x] = found;
}

/// What the whole survey found, in every thread of each warp that asks.
__device__ Survey survey_result(const SampleWorkspace& workspace) {
  Survey found = nothing_found();
  for (int i = threadIdx.x % 32; i < kSurveyBlocks; i += 32) {
    found = merged(found, workspace.surveys[i]);
  }
  return merged_in_warp(found);
}

__device__ bool limits_top_k(const SampleParams& params) {
  return params.state->top_k > 0 && params.state->top_k < params.candidates;
}

__device__ Ordering ordering_of(const SampleParams& params, const Survey& survey) {
  const bool keeps_all = !limits_top_k(params) && params.state->top_p >= 1.0;
  return {params.logits, params.candidates, survey.maximum, params.state->temperature, keeps_all};
}

__device__ bool is_usable(const Survey& survey) {
  return survey.first_unusable == kMaxCandidates && survey.likeliest >= 0;
}

__global__ void weigh_kernel(const __grid_constant__ SampleParams params) {
  __shared__ Bin bins[kBins];
  let_next_kernel_start();
  wait_for_previous_kernel();
  auto& workspace = *static_cast<SampleWorkspace*>(params.workspace);
  const Survey survey = survey_result(workspace);
  if (!is_usable(survey) || !(params.state->temperature > 0.0)) return;
  const Ordering ordering = ordering_of(params, survey);
  for (int i = threadIdx.x; i < kBins; i += kSurveyThreads) bins[i] = {0, 0};
  __syncthreads();
  constexpr int kThreads = kSurveyBlocks * kSurveyThreads;
  for (int id = blockIdx.x * kSurveyThreads + threadIdx.x; id < params.candidates; id += kThreads) {
    Bin& bin = bins[ordering.bin(id)];
    atomicAdd(&bin.mass, ordering.mass(id));
    atomicAdd(&bin.count, 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kBins; i += kSurveyThreads) {
    if (bins[i].count == 0) continue;
    atomicAdd(&workspace.bins[i].mass, bins[i].mass);
    atomicAdd(&workspace.bins[i].count, bins[i].count);
  }
}

/// `share` of `mass`, rounded up; at least 1, at most all.
__device__ unsigned long long part_of(unsigned long long mass, double share) {
  const double part = ceil(share * static_cast<double>(mass));
  if (!(part >= 1.0)) return 1;
  return part >= static_cast<double>(mass) ? mass : static_cast<unsigned long long>(part);
}

/// The mass that the draw is over: what top-k and then top-p leave.
__device__ unsigned long long drawn_mass(const SampleParams& params, Selection& selection) {
  unsigned long long mass = 0;
  if (limits_top_k(params)) {
    mass = selection.first_to_reach(Measure::kCount, params.state->top_k).mass;
  } else {
    mass = selection.total_mass();
  }
  if (params.state->top_p >= 1.0) return mass;
  return selection.first_to_reach(Measure::kMass, part_of(mass, params.state->top_p)).mass;
}

__device__ int draw(const SampleParams& params, const Survey& survey, double random,
                    Selection::Shared& shared) {
  const Ordering ordering = ordering_of(params, survey);
  Selection selection(ordering, *static_cast<SampleWorkspace*>(params.workspace), shared);
  const unsigned long long mass = drawn_mass(params, selection);
  // The first token whose running sum is above random * mass.
  const double below = floor(random * static_cast<double>(mass));
  const unsigned long long target = static_cast<unsigned long long>(below) + 1;
  return selection.first_to_reach(Measure::kMass, min(target, mass)).token;
}

/// The next step begins where this one ends, whatever came of it: who waits for the result decides.
__device__ void report(const SampleParams& params, const SampleResult& result) {
  const int slot = params.next_position == nullptr ? 0 : *params.next_position % 2;
  params.result[slot] = result;
  if (params.next_token != nullptr && result.status == kSampled) *params.next_token = result.token;
  if (params.next_position != nullptr) ++*params.next_position;
  if (params.next_kv_len != nullptr) ++*params.next_kv_len;
}

__global__ __launch_bounds__(kChoiceThreads) void choice_kernel(
    const __grid_constant__ SampleParams params) {
  __shared__ Selection::Shared shared;
  __shared__ double random;
  let_next_kernel_start();
  wait_for_previous_kernel();
  if (threadIdx.x < 4) params.state->random_before[threadIdx.x] = params.state->random[threadIdx.x];
  __syncthreads();
  const Survey survey = survey_result(*static_cast<SampleWorkspace*>(params.workspace));
  SampleResult result{survey.likeliest, kSampled};
  if (survey.first_unusable < kMaxCandidates) {
    result = {survey.first_unusable, kUnusableLogit};
  } else if (survey.likeliest < 0) {
    result = {-1, kNoFiniteLogit};
  } else if (params.state->temperature > 0.0) {
    if (threadIdx.x == 0) random = next_random(params.state->random);
    __syncthreads();
    result.token = draw(params, survey, random, shared);
  }
  if (threadIdx.x == 0) report(params, result);
}

}  // namespace

SamplerState seeded_sampler(double temperature, int top_k, double top_p, double seed) {
  SamplerState state{temperature, top_p, top_k, {}, {}};
  seed_random(seed, state.random);
  return state;
}

size_t sample_workspace_bytes(int candidates) {
  return sizeof(SampleWorkspace) + sizeof(int32_t) * static_cast<size_t>(candidates);
}

void sample(const SampleParams& params, cudaStream_t stream) {
  const Checks checks("sampling");
  checks.require(params.candidates > 0 && params.candidates <= kMaxCandidates,
                 std::to_string(params.candidates) + " candidates");
  checks.require_pointer(params.logits, "logits", alignof(float));
  checks.require_pointer(params.state, "state", alignof(SamplerState));
  checks.require_pointer(params.result, "result", alignof(SampleResult));
  checks.require_pointer(params.workspace, "workspace");
  launch_programmatic(survey_kernel, kSurveyBlocks, kSurveyThreads, 0, stream, params);
  launch_programmatic(weigh_kernel, kSurveyBlocks, kSurveyThreads, 0, stream, params);
  launch_programmatic(choice_kernel, 1, kChoiceThreads, 0, stream, params);
}

}  // namespace longview::decoder
