#include "jobfile/graph_layout.hpp"

#include <algorithm>
#include <numeric>

namespace godwit::jobfile {
namespace {

constexpr double kColumnGap = 56;
constexpr double kRowGap = 18;
constexpr int kOrderSweeps = 12;
constexpr int kPlaceSweeps = 10;

// A box, or a place that a long arrow passes through.
struct Node {
  std::size_t layer = 0;
  double height = 0;
  double center = 0;
  std::vector<std::size_t> before, after;
};

class Layers {
 public:
  explicit Layers(std::vector<GraphLayout::Box> boxes) : boxes_(std::move(boxes)) {
    find_layers();
    add_nodes();
  }

  GraphLayout draw() {
    order();
    place();
    return result();
  }

 private:
  // Each box stands one layer behind the last of those it needs.
  void find_layers() {
    layer_.assign(boxes_.size(), 0);
    for (std::size_t pass = 0; pass < boxes_.size(); ++pass)
      for (std::size_t i = 0; i < boxes_.size(); ++i)
        for (const std::size_t need : boxes_[i].needs) layer_[i] = std::max(layer_[i], layer_[need] + 1);
    layers_.resize(boxes_.empty() ? 0 : *std::max_element(layer_.begin(), layer_.end()) + 1);
  }

  bool is_implied(std::size_t need, std::size_t box) const {
    std::vector<std::size_t> open;
    for (const std::size_t other : boxes_[box].needs)
      if (other != need) open.push_back(other);
    std::vector<bool> seen(boxes_.size(), false);
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      if (at == need) return true;
      if (seen[at]) continue;
      seen[at] = true;
      open.insert(open.end(), boxes_[at].needs.begin(), boxes_[at].needs.end());
    }
    return false;
  }

  std::size_t add_node(std::size_t layer, double height) {
    nodes_.push_back({.layer = layer, .height = height});
    layers_[layer].push_back(nodes_.size() - 1);
    return nodes_.size() - 1;
  }

  void add_nodes() {
    for (std::size_t i = 0; i < boxes_.size(); ++i) add_node(layer_[i], boxes_[i].height);
    for (std::size_t i = 0; i < boxes_.size(); ++i)
      for (const std::size_t need : boxes_[i].needs)
        if (!is_implied(need, i)) add_arrow(need, i);
  }

  void add_arrow(std::size_t from, std::size_t to) {
    std::vector<std::size_t> way{from};
    for (std::size_t layer = layer_[from] + 1; layer < layer_[to]; ++layer) way.push_back(add_node(layer, 0));
    way.push_back(to);
    for (std::size_t i = 1; i < way.size(); ++i) {
      nodes_[way[i - 1]].after.push_back(way[i]);
      nodes_[way[i]].before.push_back(way[i - 1]);
    }
    ways_.push_back(std::move(way));
  }

  // --- the order within the layers

  std::vector<std::size_t> positions() const {
    std::vector<std::size_t> position(nodes_.size());
    for (const auto& layer : layers_)
      for (std::size_t i = 0; i < layer.size(); ++i) position[layer[i]] = i;
    return position;
  }

  std::size_t crossings() const {
    const auto position = positions();
    std::size_t count = 0;
    for (const auto& layer : layers_) {
      std::vector<std::pair<std::size_t, std::size_t>> arrows;
      for (const std::size_t node : layer)
        for (const std::size_t next : nodes_[node].after) arrows.emplace_back(position[node], position[next]);
      for (std::size_t i = 0; i < arrows.size(); ++i)
        for (std::size_t j = i + 1; j < arrows.size(); ++j)
          count += arrows[i].first < arrows[j].first
                       ? arrows[i].second > arrows[j].second
                       : arrows[i].first > arrows[j].first && arrows[i].second < arrows[j].second;
    }
    return count;
  }

  void sort_layer(std::vector<std::size_t>& layer, bool forward) {
    const auto position = positions();
    std::vector<double> wish(nodes_.size());
    for (const std::size_t node : layer) {
      const auto& neighbours = forward ? nodes_[node].before : nodes_[node].after;
      double sum = 0;
      for (const std::size_t neighbour : neighbours) sum += static_cast<double>(position[neighbour]);
      wish[node] =
          neighbours.empty() ? static_cast<double>(position[node]) : sum / static_cast<double>(neighbours.size());
    }
    std::stable_sort(layer.begin(), layer.end(), [&](std::size_t a, std::size_t b) { return wish[a] < wish[b]; });
  }

  void order() {
    auto best = layers_;
    std::size_t fewest = crossings();
    for (int sweep = 0; sweep < kOrderSweeps && fewest > 0; ++sweep) {
      const bool forward = sweep % 2 == 0;
      for (std::size_t i = 0; i < layers_.size(); ++i)
        sort_layer(layers_[forward ? i : layers_.size() - 1 - i], forward);
      if (const std::size_t count = crossings(); count < fewest) {
        fewest = count;
        best = layers_;
      }
    }
    layers_ = std::move(best);
  }

  // --- places

  // As near to the wishes as the order and the gaps allow: least squares, by pooling neighbours that collide.
  void place_layer(const std::vector<std::size_t>& layer, const std::vector<double>& wishes) {
    struct Pool {
      double sum = 0;
      std::size_t count = 0;
      double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<double> offsets;
    std::vector<Pool> pools;
    double offset = 0;
    for (std::size_t i = 0; i < layer.size(); ++i) {
      if (i > 0) offset += (nodes_[layer[i - 1]].height + nodes_[layer[i]].height) / 2 + kRowGap;
      offsets.push_back(offset);
      pools.push_back({wishes[i] - offset, 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
        pools[pools.size() - 2].sum += pools.back().sum;
        pools[pools.size() - 2].count += pools.back().count;
        pools.pop_back();
      }
    }
    std::size_t i = 0;
    for (const auto& pool : pools)
      for (std::size_t n = 0; n < pool.count; ++n, ++i) nodes_[layer[i]].center = pool.mean() + offsets[i];
  }

  void place() {
    for (const auto& layer : layers_) place_layer(layer, std::vector<double>(layer.size(), 0));
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) {
      for (std::size_t step = 0; step < layers_.size(); ++step) {
        const auto& layer = layers_[sweep % 2 == 0 ? step : layers_.size() - 1 - step];
        std::vector<double> wishes;
        for (const std::size_t node : layer) wishes.push_back(wish_of(nodes_[node]));
        place_layer(layer, wishes);
      }
    }
  }

  double wish_of(const Node& node) const {
    double sum = 0;
    for (const auto* neighbours : {&node.before, &node.after})
      for (const std::size_t neighbour : *neighbours) sum += nodes_[neighbour].center;
    const std::size_t count = node.before.size() + node.after.size();
    return count == 0 ? node.center : sum / static_cast<double>(count);
  }

  GraphLayout result() {
    GraphLayout layout;
    double top = 0, bottom = 0;
    for (const auto& node : nodes_) {
      top = std::min(top, node.center - node.height / 2);
      bottom = std::max(bottom, node.center + node.height / 2);
    }
    std::vector<double> left(layers_.size()), width(layers_.size());
    for (std::size_t i = 0; i < boxes_.size(); ++i) width[layer_[i]] = std::max(width[layer_[i]], boxes_[i].width);
    for (std::size_t i = 0; i < layers_.size(); ++i) left[i] = i == 0 ? 0 : left[i - 1] + width[i - 1] + kColumnGap;
    layout.width = layers_.empty() ? 0 : left.back() + width.back();
    layout.height = bottom - top;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i].width = width[layer_[i]];
      boxes_[i].x = left[layer_[i]];
      boxes_[i].y = nodes_[i].center - boxes_[i].height / 2 - top;
    }
    for (const auto& way : ways_) {
      GraphLayout::Arrow arrow{way.front(), way.back(), {}};
      for (std::size_t i = 0; i < way.size(); ++i) {
        const Node& node = nodes_[way[i]];
        const double y = node.center - top;
        if (i > 0) arrow.points.push_back({left[node.layer], y});
        if (i + 1 < way.size()) arrow.points.push_back({left[node.layer] + width[node.layer], y});
      }
      layout.arrows.push_back(std::move(arrow));
    }
    layout.boxes = std::move(boxes_);
    return layout;
  }

  std::vector<GraphLayout::Box> boxes_;
  std::vector<std::size_t> layer_;  // by box
  std::vector<Node> nodes_;         // those of the boxes first
  std::vector<std::vector<std::size_t>> layers_;
  std::vector<std::vector<std::size_t>> ways_;  // nodes that an arrow goes through
};

}  // namespace

GraphLayout lay_out(std::vector<GraphLayout::Box> boxes) {
  return Layers(std::move(boxes)).draw();
}

}  // namespace godwit::jobfile
