#include "tensor/file.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/files.h"

namespace tensor {
namespace {

namespace fs = std::filesystem;

/// A small file system of its own, where this process may mount one.
class SmallDisk {
 public:
  SmallDisk() : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=64k") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  void make_read_only() { ASSERT_EQ(::mount("", folder_.path().c_str(), "", MS_REMOUNT | MS_RDONLY, ""), 0); }
  fs::path operator/(const fs::path& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

TEST(File, IsReadWholeAndMapped) {
  const TemporaryFolder folder;
  const std::string bytes = std::string("a\0b\r\n", 5) + std::string(100'000, 'x');
  put(folder / "x", bytes);
  EXPECT_EQ(read_file(folder / "x"), bytes);
  EXPECT_EQ(MappedFile(folder / "x").text(), bytes);
  put(folder / "empty", "");
  EXPECT_EQ(read_file(folder / "empty"), "");
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
}

TEST(File, StaysMappedAsLongAsAnOwnerLives) {
  const TemporaryFolder folder;
  put(folder / "x", "hello");
  std::shared_ptr<void> owner;
  {
    const MappedFile file(folder / "x");
    owner = file.owner();
  }
  fs::remove(folder / "x");
  EXPECT_EQ(std::string(static_cast<const char*>(owner.get()), 5), "hello");
}

TEST(File, ThatCannotBeReadFailsWithOneLine) {
  const TemporaryFolder folder;
  const std::string missing = (folder / "missing").string(), where = folder.path().string();
  EXPECT_EQ(message_of([&] { read_file(missing); }), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(message_of([&] { MappedFile file(missing); }), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(message_of([&] { read_file(where); }), where + ": cannot read: Is a directory");
  EXPECT_EQ(message_of([&] { MappedFile file(where); }), where + ": cannot read: Is a directory");
  EXPECT_TRUE(fails_with("expected a regular file", [&] { MappedFile("/dev/null"); }));
  EXPECT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(
      fails_with("expected a regular file", [&] { MappedFile(folder / "pipe"); }));  // and does not wait for a writer
  EXPECT_TRUE(fails_with("expected a regular file", [&] { read_file(folder / "pipe"); }));
  EXPECT_EQ(read_input("/dev/null"), "");
  EXPECT_TRUE(fails_with("Not a directory", [&] { (put(folder / "x", "x"), read_file(folder / "x/y")); }));
}

TEST(File, LargerThanTheLimitIsNotRead) {
  const TemporaryFolder folder;
  put(folder / "x", "12345");
  EXPECT_EQ(read_file(folder / "x", 5), "12345");
  EXPECT_TRUE(fails_with("x: expected at most 4 bytes, found 5", [&] { read_file(folder / "x", 4); }));
  EXPECT_TRUE(fails_with("expected at most 1000 bytes", [&] { read_input("/dev/zero", 1000); }));  // it tells no size
}

TEST(AtomicFile, ReplacesOnlyWhenCommitted) {
  const TemporaryFolder folder;
  put(folder / "x", "old");
  {
    AtomicFile file(folder / "x");
    file.write("new");
    EXPECT_EQ(get(folder / "x"), "old");
  }
  EXPECT_EQ(get(folder / "x"), "old");
  EXPECT_FALSE(fs::exists(folder / "x.new"));
  write_file(folder / "x", "new");
  EXPECT_EQ(get(folder / "x"), "new");
  EXPECT_FALSE(fs::exists(folder / "x.new"));
}

TEST(AtomicFile, KeepsItsTemporaryNameAfterSync) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder / "x");
    file.write("new");
    file.sync();
  }
  EXPECT_EQ(get(folder / "x.new"), "new");
  EXPECT_FALSE(fs::exists(folder / "x"));
  AtomicFile again(folder / "x");
  again.write("newer");
  again.sync();
  again.commit();
  EXPECT_EQ(get(folder / "x"), "newer");
}

TEST(AtomicFile, WritesMoreThanOneCallOfTheSystemTakes) {
  const TemporaryFolder folder;
  std::string bytes(20'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = char(i * 2654435761u >> 24);
  write_file(folder / "x", bytes);
  EXPECT_EQ(get(folder / "x"), bytes);
}

TEST(AtomicFile, DoesNotReplaceAFolderNorFollowALinkUnderItsTemporaryName) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "x");
  EXPECT_EQ(message_of([&] { write_file(folder / "x", ""); }),
            (folder / "x").string() + ": cannot write: Is a directory");
  EXPECT_TRUE(fails_with("a/b: cannot write: No such file or directory", [&] { write_file(folder / "a/b", ""); }));
  put(folder / "victim", "untouched");
  fs::create_symlink(folder / "victim", folder / "y.new");
  EXPECT_TRUE(fails_with("y: cannot write: ", [&] { write_file(folder / "y", "gone"); }));
  EXPECT_EQ(get(folder / "victim"), "untouched");
}

TEST(AtomicFile, AFreshOneReplacesNothing) {
  const TemporaryFolder folder;
  put(folder / "x.0.new", "mine");
  put(folder / "x.new", "mine too");
  write_new_file(folder / "x", "new");
  EXPECT_EQ(get(folder / "x"), "new");
  EXPECT_EQ(get(folder / "x.0.new"), "mine");
  EXPECT_EQ(get(folder / "x.new"), "mine too");
  EXPECT_EQ(message_of([&] { write_new_file(folder / "x", "newer"); }), (folder / "x").string() + ": exists already");
  AtomicFile late(folder / "y", true);
  put(folder / "y", "first");
  EXPECT_TRUE(fails_with("y: cannot write: File exists", [&] { late.commit(); }));
  EXPECT_EQ(get(folder / "y"), "first");
  EXPECT_FALSE(fs::exists(folder / "y.0.new"));
}

TEST(CheckNew, RefusesWhatCouldNotBeMade) {
  const TemporaryFolder folder;
  put(folder / "file", "");
  fs::create_symlink("nowhere", folder / "link");
  check_new(folder / "x");
  check_new(folder / "x/");
  EXPECT_TRUE(fails_with("found an empty one", [&] { check_new(""); }));
  for (const char* name : {"file", "link", ".", "", "file/"})
    EXPECT_TRUE(fails_with("exists already", [&] { check_new(folder / name); })) << name;
  EXPECT_TRUE(fails_with("a/b: cannot create: No such file or directory", [&] { check_new(folder / "a/b"); }));
  EXPECT_TRUE(fails_with("file/b: cannot create: Not a directory", [&] { check_new(folder / "file/b"); }));
  EXPECT_TRUE(fails_with("/dev/stdout: exists already", [&] { check_new("/dev/stdout"); }));
}

TEST(AtomicFile, OnAFullDiskLeavesWhatWasThere) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a small file system";
  write_file(disk / "x", "old");
  EXPECT_EQ(message_of([&] { write_file(disk / "x", std::string(1'000'000, 'x')); }),
            (disk / "x").string() + ": cannot write: No space left on device");
  EXPECT_EQ(get(disk / "x"), "old");
  EXPECT_FALSE(fs::exists(disk / "x.new"));
}

TEST(AtomicFile, OnAReadOnlyDiskSaysSo) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a small file system";
  put(disk / "x", "old");
  disk.make_read_only();
  EXPECT_TRUE(fails_with("x: cannot write: Read-only file system", [&] { write_file(disk / "x", "new"); }));
  EXPECT_TRUE(fails_with("y: cannot create: Read-only file system", [&] { AtomicFolder(disk / "y"); }));
  EXPECT_EQ(get(disk / "x"), "old");
}

TEST(AtomicFolder, AppearsWholeOrNotAtAll) {
  const TemporaryFolder folder;
  {
    AtomicFolder building(folder / "run");
    put(building.temporary() / "x", "x");
    EXPECT_EQ(building.temporary().parent_path(), folder.path());
    EXPECT_FALSE(fs::exists(folder / "run"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  AtomicFolder building(folder / "run/");  // a slash at the end means the same folder
  put(building.temporary() / "x", "x");
  building.commit();
  EXPECT_EQ(get(folder / "run/x"), "x");
}

TEST(AtomicFolder, NeverReplacesWhatIsThere) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "empty");
  EXPECT_TRUE(fails_with("empty: exists already", [&] { AtomicFolder(folder / "empty"); }));
  AtomicFolder building(folder / "late");
  fs::create_directory(folder / "late");  // somebody else was faster
  EXPECT_TRUE(fails_with("late: cannot create: File exists", [&] { building.commit(); }));
  EXPECT_TRUE(fails_with("cannot create: No such file or directory", [&] { AtomicFolder(folder / "a/b"); }));
}

TEST(AtomicFolder, BesideALeftoverTakesAnotherName) {
  const TemporaryFolder folder;
  AtomicFolder first(folder / "run"), second(folder / "run");
  EXPECT_NE(first.temporary(), second.temporary());
}

TEST(OneLine, EscapesWhatWouldNotShow) {
  EXPECT_EQ(one_line("plain – ü 🎵"), "plain – ü 🎵");
  EXPECT_EQ(one_line("a\nb\x1b[1m\x7f"), "a\\x0ab\\x1b[1m\\x7f");
  EXPECT_EQ(one_line("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(one_line("\xc2\x85\xe2\x80\xa8"), "\\xc2\\x85\\xe2\\x80\\xa8");
  EXPECT_EQ(one_line("abcdef", 3), "abc…");
  EXPECT_EQ(one_line("abc", 3), "abc");
}

}  // namespace
}  // namespace tensor
