use super::fixture::Fixture;

pub(super) async fn watermarks_are_kept_for_each_reader_and_never_go_back(f: Fixture) {
    let store = f.store();
    assert_eq!(*store.watermarks("publisher").await.unwrap(), [0; 256]);
    store.advance_watermarks("publisher", &[(7, 10), (255, 3)]).await.unwrap();
    store.advance_watermarks("publisher", &[(255, 2), (7, 11), (0, 1)]).await.unwrap();
    store.advance_watermarks("search", &[(7, 5)]).await.unwrap();
    store.advance_watermarks("search", &[]).await.unwrap();

    let marks = store.watermarks("publisher").await.unwrap();
    assert_eq!((marks[0], marks[7], marks[255]), (1, 11, 3));
    assert_eq!(marks.iter().sum::<u64>(), 15);
    assert_eq!(store.watermarks("search").await.unwrap()[7], 5);
}
