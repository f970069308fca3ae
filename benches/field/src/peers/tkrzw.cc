// Tkrzw's HashDBM with the settings that its own tkrzw_dbm_perf uses: a memory
// mapped file, updates in place, 1,048,583 buckets.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tkrzw_dbm_hash.h>
#include <tkrzw_file_mmap.h>

using tkrzw::HashDBM;
using tkrzw::Status;

extern "C" {

void* field_tkrzw_open(const char* path, int64_t buckets) {
  auto dbm = std::make_unique<HashDBM>(std::make_unique<tkrzw::MemoryMapParallelFile>());
  HashDBM::TuningParameters parameters;
  parameters.num_buckets = buckets;
  const Status status = dbm->OpenAdvanced(path, true, tkrzw::File::OPEN_DEFAULT, parameters);
  return status == Status::SUCCESS ? dbm.release() : nullptr;
}

int32_t field_tkrzw_set(void* dbm, const char* key, size_t key_size, const char* value,
                        size_t value_size) {
  const Status status = static_cast<HashDBM*>(dbm)->Set(
      std::string_view(key, key_size), std::string_view(value, value_size));
  return status == Status::SUCCESS ? 0 : -1;
}

// The size of the value, -1 if there is none, -2 for any other answer.
int64_t field_tkrzw_get(void* dbm, const char* key, size_t key_size) {
  thread_local std::string value;
  const Status status = static_cast<HashDBM*>(dbm)->Get(std::string_view(key, key_size), &value);
  if (status == Status::SUCCESS) return static_cast<int64_t>(value.size());
  return status == Status::NOT_FOUND_ERROR ? -1 : -2;
}

int32_t field_tkrzw_remove(void* dbm, const char* key, size_t key_size) {
  const Status status = static_cast<HashDBM*>(dbm)->Remove(std::string_view(key, key_size));
  return status == Status::SUCCESS ? 0 : -1;
}

// Every record once, by an iterator's Step; the bytes of keys and values, and
// their number through `records`.
int64_t field_tkrzw_iterate(void* dbm, int64_t* records) {
  auto iterator = static_cast<HashDBM*>(dbm)->MakeIterator();
  if (iterator->First() != Status::SUCCESS) return -1;
  std::string key, value;
  int64_t bytes = 0;
  while (iterator->Step(&key, &value) == Status::SUCCESS) {
    bytes += static_cast<int64_t>(key.size() + value.size());
    *records += 1;
  }
  return bytes;
}

int32_t field_tkrzw_close(void* dbm) {
  std::unique_ptr<HashDBM> owned(static_cast<HashDBM*>(dbm));
  return owned->Close() == Status::SUCCESS ? 0 : -1;
}
}
